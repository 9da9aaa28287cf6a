"""Inspects your own network between the epochs of its training."""

import torch
from torch import nn

import explorer


def network() -> nn.Module:
    """A small classifier: which of three color channels is the strongest."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def main(epochs: int = 3) -> None:
    """Trains on noise with one channel increased; writes maps-0.png, maps-1.png, ..."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(1)
    for epoch in range(epochs):
        for _ in range(20):
            labels = torch.randint(3, (32,), generator=generator)
            batch = torch.rand(32, 3, 16, 16, generator=generator)
            batch[torch.arange(32), labels] += 0.5
            loss = nn.functional.cross_entropy(model(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        # The module is used as it is: its training mode and gradients are restored.
        answer = explorer.look("feature_maps", "coffee", network=model, layer="0")
        answer.save(f"maps-{epoch}.png")
        print(f"epoch {epoch}: loss {loss.item():.3f}, {answer.summary}")


if __name__ == "__main__":
    main()
