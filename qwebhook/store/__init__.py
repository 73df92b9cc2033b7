"""Where webhooks and deliveries live: one contract (`contract`), and a package for each driver.

Nothing here imports the delivery engine, the server or the command line.
"""
