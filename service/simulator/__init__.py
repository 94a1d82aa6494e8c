"""A simulated floor: machines that publish as real ones do, against any broker."""
