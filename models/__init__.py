"""Networks: one file each, and `models.loader`, which builds, loads and checks them, ours and a user's."""
