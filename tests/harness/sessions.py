"""A visitor of the app without a browser: one websocket, as the page's script opens it.

Cheap enough for twenty at once on a laptop. It sees when the script has run and which elements it sent, not what is
drawn.
"""

import time
from contextlib import ExitStack

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect


class Visitor:
    """One open page of the app."""

    def __init__(self, address: str, query: str = "", *, timeout: float = 120.0) -> None:
        self.timeout, self.query = timeout, query
        self.page, self.widgets, self.exceptions = "", {}, []
        self._open = ExitStack()
        stream = connect(
            f"ws://{address}/_stcore/stream", subprotocols=["streamlit"], origin=f"http://{address}", max_size=2**28
        )
        self.socket = self._open.enter_context(stream)
        self.rerun()

    def rerun(self, *changes: WidgetState) -> float:
        """Run the script with these widgets changed; return the seconds until it had finished."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.page
        kept = {**getattr(self, "state", {}), **{c.id: c for c in changes}}
        self.state = {i: c for i, c in kept.items() if not c.HasField("trigger_value")}
        message.rerun_script.widget_states.widgets.extend(kept.values())
        began = time.perf_counter()
        self.socket.send(message.SerializeToString())
        self.widgets = {}
        while True:
            got = ForwardMsg.FromString(self.socket.recv(self.timeout))
            kind = got.WhichOneof("type")
            if kind == "new_session":
                self.page = got.new_session.page_script_hash
            elif kind == "navigation":
                self.page = got.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = got.page_info_changed.query_string
            elif kind == "delta" and got.delta.WhichOneof("type") == "new_element":
                element = got.delta.new_element
                name = element.WhichOneof("type")
                if name == "exception":
                    self.exceptions.append(element.exception.message)
                inner = getattr(element, name) if name else None
                if hasattr(inner, "id") and hasattr(inner, "label"):
                    self.widgets[inner.label] = (name, inner)
            elif kind == "script_finished" and got.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - began

    def close(self) -> None:
        """Leave."""
        self._open.close()
