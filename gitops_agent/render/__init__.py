"""Templates and values → files, in a child process with limits: what an author pushes can neither hang nor reach the agent.

`Renderer` is the parent's side. `child` runs `engine`, and nothing of what the agent knows: no key, no environment, no descriptor.
"""

from gitops_agent.render.renderer import Renderer

__all__ = ["Renderer"]
