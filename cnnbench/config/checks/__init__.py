"""What has to hold between the keys of a whole config, before anything is started: each check raises UserError for the
first thing wrong. Imports no torch, so that a mistake is answered at once.
"""
