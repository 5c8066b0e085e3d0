"""The native module: one stub a Rust folder, gathered as the module itself gathers them."""

from perdure._core._convert import Failure as Failure
from perdure._core._convert import Shape as Shape
from perdure._core._convert import decode as decode
from perdure._core._convert import encode as encode
from perdure._core._convert import set_fallback as set_fallback
from perdure._core._engine import ActivityTask as ActivityTask
from perdure._core._engine import EngineHost as EngineHost
from perdure._core._engine import NatsChild as NatsChild
from perdure._core._engine import Reply as Reply
from perdure._core._engine import StoreInbox as StoreInbox
from perdure._core._engine import StoreReader as StoreReader
from perdure._core._engine import Turn as Turn
from perdure._core._engine import Work as Work
from perdure._core._engine import owner_socket as owner_socket
from perdure._core._instance import ActivityCall as ActivityCall
from perdure._core._instance import ActivityPlan as ActivityPlan
from perdure._core._instance import CallSite as CallSite
from perdure._core._instance import InstanceCore as InstanceCore
from perdure._core._instance import RecordedHistory as RecordedHistory
from perdure._core._loop import Handle as Handle
from perdure._core._loop import LoopCore as LoopCore
from perdure._core._loop import current_loop as current_loop
from perdure._core._loop import install_guard as install_guard
from perdure._core._loop import learn_task_callbacks as learn_task_callbacks
from perdure._core._loop import substitute as substitute
from perdure._core._loop import substitute_clocks as substitute_clocks
