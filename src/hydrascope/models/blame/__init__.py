"""The blame of components: whose fault the deviations of a machine's sensors are."""
