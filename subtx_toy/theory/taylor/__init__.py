"""Second derivatives of any traced model along a ray of parameters, enclosed over a whole range of step sizes."""
