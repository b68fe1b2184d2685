"""World `crowd-nav`: a robot among people who cross a circle."""

from simloop.worlds.crowd_nav.world import CrowdNav

__all__ = ["CrowdNav"]
