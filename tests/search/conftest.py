"""Small networks that searches run on, as a user's Python file."""

from __future__ import annotations

from pathlib import Path

import pytest

#: a residual network on the digits' upper halves, trained for a moment; the same each time it is loaded
NETWORK = """
import torch
from torch import nn
from edgeq.demo import digits

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.inner = nn.Conv2d(6, 6, 3, padding=1)
        self.classify = nn.Linear(6, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(self.inner(x) + x)
        return self.classify(x.mean(dim=(2, 3)))

def network():
    data = digits.load()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Net()
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    for step in range(120):
        part = torch.arange(step * 64, step * 64 + 64) % len(y)
        loss = nn.functional.cross_entropy(model(x[part]), y[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model, (data.train_x[:96], data.train_y[:96]), (data.test_x[:200], data.test_y[:200])
"""


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file; skips without torch, Brevitas and scikit-learn."""
    for needed in ("torch", "brevitas", "sklearn"):
        pytest.importorskip(needed)
    path = tmp_path_factory.mktemp("search") / "net.py"
    path.write_text(NETWORK, "utf-8")
    return path
