"""Blocks: layers joined for one purpose, from sensors to components to heads."""
