"""A fake Labelbox for people who test their DAGs, as moto is for AWS."""
