"""The servers and stores of these tests."""

from support.stores.fixtures import emulator, moto, new_bucket, rclone, store

__all__ = ["emulator", "moto", "new_bucket", "rclone", "store"]
