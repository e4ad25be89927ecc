"""Answers a question: complete.py MODEL QUESTION"""

import sys

import unmask

model = unmask.Model(sys.argv[1])
print(model.generate(sys.argv[2]))
