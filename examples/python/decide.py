"""How probable each answer to a question about a text is, in one pass and without generating:
decide.py MODEL TEXT QUESTION ANSWER ANSWER..."""

import sys

import unmask

path, text, question, *answers = sys.argv[1:]
decision = unmask.Model(path).decide(text, [unmask.Question(question, choices=answers)])[0]
for answer, probability in zip(answers, decision.probabilities):
    print(f"{probability:.3f} {answer}")
