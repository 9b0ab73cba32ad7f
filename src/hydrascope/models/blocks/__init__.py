"""Blocks: layers combined for one purpose, from sensors to components to heads."""
