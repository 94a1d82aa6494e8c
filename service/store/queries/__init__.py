"""Questions about what is stored, one module a subject. They block: call them in a thread.

Every function takes the `Database` first and gives plain dictionaries in the words of the contract.
Each may raise StoreUnavailable or StoreRefused; what is not found is None or an empty list.
"""
