"""How well the keypoints of people are found: OKS AP and PCK."""
