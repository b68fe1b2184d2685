"""Does a world do what it says?"""

from simloop.audit.parameters import Audit, audit_parameters

__all__ = ["Audit", "audit_parameters"]
