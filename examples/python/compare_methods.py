"""What two methods make of a question, and how many rows went through the network for it, side by side in
one engine: compare_methods.py MODEL QUESTION METHOD METHOD"""

import sys

import unmask

path, question, *methods = sys.argv[1:]
model = unmask.Model(path)
requests = [model.prepare(question, preset="exact", gen_length=32, method=method) for method in methods]
for method, result in zip(methods, model.batch(requests)):
    print(f"{method}: {result.steps} steps, {result.rows} rows: {result.text}")
