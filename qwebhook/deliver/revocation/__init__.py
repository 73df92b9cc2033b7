"""Whether the certificate of a receiver has been revoked, for webhooks that ask for it (`checkCertificateRevocation`).

    sender.py ─ the chain of a connection, before anything is sent on it
              ─ check.py ──── what is known of it, or else asked; one question at a time for all who wait
              ─ ocsp.py ───── the authority's responder is asked, and its answer read
              ─ crl.py ────── or else the authority's list is read
              ─ verdict.py ── Good | Revoked | Unknown

Nothing is sent unless the verdict is good: whoever wants the check would not have it left out where an attacker keeps
the answer away. `ocsp.py` and `crl.py` are functions of values; what is fetched goes through the sender, and so through
its guard of addresses, since these come from a certificate that anybody may have written.
"""
