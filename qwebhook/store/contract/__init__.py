"""What a store does, in two parts.

`Administration` is what people and scripts use; every driver has it, a REST client too. `Journal` is what the
delivery engine uses; the databases have it, and tokens and inbounds. All are synchronous: the server puts them behind
one writer thread.

A driver's guarantees are the tests in `tests/store/`, which every driver must pass.
"""

from qwebhook.store.contract.administration import (
    MAX_LIMIT,
    Administration,
    DeliveryQuery,
    DeliverySort,
    Page,
    Statistics,
    StatisticsQuery,
    WebhookQuery,
    WebhookSort,
    WebhookStatistics,
)
from qwebhook.store.contract.journal import (
    BEGINNING,
    NEVER,
    Accepted,
    BackfillStep,
    Claim,
    DirectAttempt,
    Journal,
    Original,
    Place,
    Recording,
    ReplayOutcome,
    ReplayQuery,
    ReplayStep,
    SourcePlace,
    Written,
)
from qwebhook.store.contract.letting_in import (
    Inbound,
    InboundStore,
    Role,
    Token,
    TokenStore,
)

__all__ = [
    "BEGINNING",
    "MAX_LIMIT",
    "NEVER",
    "Accepted",
    "Administration",
    "BackfillStep",
    "Claim",
    "DeliveryQuery",
    "DeliverySort",
    "DirectAttempt",
    "Inbound",
    "InboundStore",
    "Journal",
    "Original",
    "Page",
    "Place",
    "Recording",
    "ReplayOutcome",
    "ReplayQuery",
    "ReplayStep",
    "Role",
    "SourcePlace",
    "Statistics",
    "StatisticsQuery",
    "Token",
    "TokenStore",
    "WebhookQuery",
    "WebhookSort",
    "WebhookStatistics",
    "Written",
]
