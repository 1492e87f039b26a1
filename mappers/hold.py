"""Hold: the rule by which nodes keep reserved starts, for those who plan and simulate by it.

Its home is with the nodes' own queues, `protocol.hold`.
"""

from pnode.protocol.hold import NAP_SHARE as NAP_SHARE
from pnode.protocol.hold import Held as Held
from pnode.protocol.hold import Ready as Ready
from pnode.protocol.hold import Verdict as Verdict
from pnode.protocol.hold import first_to_start as first_to_start
