"""What a tenant says of users, spaces and apps."""

from __future__ import annotations

from qwebhook.store.rest.directory import LONGEST, TenantDirectory
from qwebhook.store.rest.remote import Remote
from tests.tenant.tenant import Tenant


def test_a_name_is_no_longer_than_can_be_kept_by_the_thousand(tenant: Tenant, remote: Remote) -> None:
    tenant.directory.add_app("a1", "x" * 1_000_000)
    tenant.directory.add_app("a2", "Sales")
    directory = TenantDirectory(remote)
    assert directory.look_up("app", "a1") == {"name": "x" * LONGEST}
    assert directory.look_up("app", "a2") == {"name": "Sales"}
    assert directory.look_up("app", "a3") == {}
