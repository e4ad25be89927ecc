class LM:
    def __init__(self):
        self._rank = 0
        self._world_size = 1
