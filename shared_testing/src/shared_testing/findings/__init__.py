"""What was found, and how it is said: rule, site, finding, report."""

from shared_testing.findings.finding import Finding
from shared_testing.findings.rule import Rule
from shared_testing.findings.site import Site, site_of_code, user_site

__all__ = ["Finding", "Rule", "Site", "site_of_code", "user_site"]
