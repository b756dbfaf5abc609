"""The two ways a test can end badly: the mesh is wrong, or we could not tell.

`NonConformance` is a verdict on the mesh (verdict *fail*). `HarnessError` and its kinds say that cluster, install or
harness kept us from judging (verdict *error*); they never count against the mesh.
"""


class NonConformance(AssertionError):
    """The mesh does not do what a requirement says. Raised only by assertions, in a test's call phase."""


class HarnessError(Exception):
    """Something other than the behaviour under test went wrong.

    `what` is one line: what was wrong and where. `advice` is one line: what to do about it.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what} ({advice})" if advice else what)
        self.what = what
        self.advice = advice


class ClusterError(HarnessError):
    """The cluster could not be reached, started or used."""


class ClusterEnded(ClusterError):
    """The cluster has ended in the middle of the run, or is away for good: nothing more can be judged."""


class MeshError(HarnessError):
    """The mesh could not be installed, configured or made ready, or its profile is wrong."""


class NotConfigured(MeshError):
    """The mesh is there, but in a mode in which it does not obey SMI: judging it would say nothing."""


class WorkloadError(HarnessError):
    """The sample application or one of its agents could not be deployed or did not answer."""


class ManifestRefused(HarnessError):
    """The API server refused a manifest that the suite applied.

    `status` is the Kubernetes `Status` object as received.
    """

    def __init__(self, what: str, advice: str = "", status: dict[str, object] | None = None) -> None:
        super().__init__(what, advice)
        self.status: dict[str, object] = status or {}


class DeadlineExceeded(HarnessError):
    """A wait ended without the condition; the text names the condition and the time in seconds."""
