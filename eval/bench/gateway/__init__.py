"""`zhengwu bench gateway`: ours, a bare pass-through and LiteLLM before the same instant upstream.

Every part is a process of its own, so that none borrows another's time; `measure.py` starts them.
"""
