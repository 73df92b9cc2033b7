"""A small stand-in for a Qlik Cloud tenant: real HTTP on a free loopback port, strict about what it accepts.

It is written from the published facts of the service alone and imports nothing of `qwebhook`, so that the two can be
held against each other. Where the service is known to be silent, the module concerned says what was chosen.

    with Tenant() as tenant:
        httpx.get(tenant.url + "/api/core/webhooks", headers={"Authorization": f"Bearer {tenant.key}"})

    tenant.url                                    http://127.0.0.1:PORT
    tenant.key                                    an API key of the tenant's administrator
    tenant.prefixes                               {"core", "v1"}: take one out and it answers 404
    tenant.stop(), tenant.start()                 unreachable for a while; port and state stay
    tenant.clock.skew = -300                      its clock is five minutes late: in `Date`, eventTime, createdAt
    tenant.access.new_key("user", "anna")         another key; `expire(key)`, `new_client()`, `expire_tokens()`
    tenant.webhooks.add(name="a", enabled=True)   a webhook without a request; `disable`, `secret_of`, `quota`
    tenant.deliveries.add(id, event, 503)         a record; `push(id, event, to=URL)`, `receivers_answer(503)`
    tenant.audits.add(TYPE, data={})              an event of the log; `add_many(100_000, TYPE)`, `release`
    tenant.directory.add_app("a1", "Sales", "s1") what /apps, /spaces and /users know
    tenant.rate.limit(reads=1000, writes=100)     a limit per window
    tenant.faults.inject(status(503), times=2)    trouble for the next requests: see `tests.tenant.faults`
    tenant.log.requests("PATCH", "*/webhooks/*")  what was asked; `wait_for(3, "GET", "*/audits")`

By hand: `python -m tests.tenant --port 8790 --webhooks 5 --events 1000`.
"""

from tests.tenant.tenant import Tenant

__all__ = ["Tenant"]
