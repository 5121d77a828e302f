"""Places that keep content by digest. A Store is one repository."""
