"""The functions on AWS: one thin handler a module, named in template.yaml."""
