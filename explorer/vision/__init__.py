"""The methods themselves: torch and numpy only, no views, no window.

They take modules, tensors and a `Frame` (from the photo's pixels to those of the tensor; left out,
the tensor is the photo), so each can be called by itself on any module of torchvision's kind:

    model = fasterrcnn_resnet50_fpn(weights="DEFAULT").eval()
    trace = traced(model, image)                        # explorer.vision.trace
    run_head(model, trace, box)                         # explorer.vision.detection.roi_head
    activation(model, [image], "backbone.body.layer2")  # explorer.vision.features.activations

What a scene remembers of them stands in `explorer.engine.stages`.
"""
