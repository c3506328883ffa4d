"""Networks, one file each; `models.networks` builds and checks them, `models.saved` loads trained ones."""
