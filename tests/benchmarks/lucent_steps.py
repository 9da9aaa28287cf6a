"""Steps of torch-lucent, for `bench_dream.py`; it is run where torch-lucent is installed.

python lucent_steps.py NETWORK LAYER CHANNEL SIDE THREADS ARGUMENTS_OF_THE_NETWORK

Every line that is read is a number of steps; the answer is how many seconds they took. Lucent is
used as its documentation shows: the Fourier image, its standard transforms and Adam.
"""

import contextlib
import json
import sys
import time
import warnings

import torch
from lucent.optvis import objectives, param, render
from torchvision.models import get_model


def main() -> None:
    name, layer, channel, side, threads, extra = sys.argv[1:]
    torch.set_num_threads(int(threads))
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    for line in sys.stdin:
        model = get_model(name, weights=None, **json.loads(extra)).eval()  # hooks are never removed
        steps = int(line)
        began = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            render.render_vis(
                model,
                objectives.channel(layer, int(channel)),
                lambda: param.image(int(side)),
                thresholds=(steps,),
                progress=False,
                show_image=False,
            )
        print(time.perf_counter() - began, flush=True)


main()
