"""The theory route: predictions from Jacobians and output Hessians at the shared initialisation.

Never imports ``training`` or ``certify``; the routes meet only where they are compared.
"""
