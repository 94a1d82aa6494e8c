"""What people change, one function each: the one door, for the command line and the web app.

Every function checks what it is given, changes the database, and adds its row to the audit trail
in the same transaction.
"""
