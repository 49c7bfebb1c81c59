"""`panns verify`: whether a store is whole and complete, its quarantine and its repair."""

from panns.data.verification.checking import verify
from panns.data.verification.repairing import repair
from panns.data.verification.result import Verification

__all__ = ["Verification", "repair", "verify"]
