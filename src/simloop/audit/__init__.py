"""Does a world do what it says, and does a policy do what it seems to?"""

from simloop.audit.parameters import Audit, audit_outcomes, audit_parameters

__all__ = ["Audit", "audit_outcomes", "audit_parameters"]
