"""Shows an answer while it is being unmasked, a line for each step: stream.py MODEL QUESTION"""

import sys

import unmask

model = unmask.Model(sys.argv[1])
steps = model.stream(sys.argv[2], preset="exact", gen_length=32)
for event in steps:
    found = [f"{position} is '{model.decode([token])}'"
             for position, token in zip(event.positions, event.decided)]
    print(f"{event.step}: {event.masks_left} masks left", *found, sep=", ", flush=True)
print(steps.result)
