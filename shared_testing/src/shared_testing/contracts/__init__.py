"""What each service has promised, written once and owned by nobody's implementation."""

from __future__ import annotations

from shared_testing.contracts.contract import Contract, ContractViolation, Endpoint, Promise, Reply, check_reply

__all__ = ["Contract", "ContractViolation", "Endpoint", "Promise", "Reply", "check_reply"]
