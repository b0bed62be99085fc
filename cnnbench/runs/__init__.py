"""What lies in a run folder: its names, schemas, checkpoints and lock.

config.yaml       the resolved config
environment.json  every start: when, where, which versions and which git commit
metrics.jsonl     a line per epoch
status.json       how it stands: running, complete, preempted or failed, why, and at which step
result.json       once the run has ended
eval-*.json       what `cnnbench eval run=` counted, for each protocol and choice of settings
verify.json       what `cnnbench verify` judged
nonfinite.jsonl   a line per step whose loss or gradient was not finite, if there was one
broken-images-RANK.txt  training images that could not be decoded and were replaced, if there were any
lock.json         while it is being trained: by whom
checkpoints/      last.pt, previous.pt, best.pt, those of keep_every, and damaged.pt, which was put aside
tensorboard/      the same figures as metrics.jsonl, and more often; pictures, and the final errors beside the config
"""
