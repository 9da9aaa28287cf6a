"""Attribution: which parts of the input a network's output depends on.

A target is a function of the input: the logit of a class, a unit, one box of a detector. A method
takes a target and an input as the network is fed it, (1, C, H, W), and gives an `Attribution`, or
an iterator of them that grow:

    target = ClassTarget(model.eval(), 207)
    found = grad_cam(target, batch, cam_layer(target, batch))
    found.values                                   # (h, w), one value per cell
    *_, last = rise(target, batch, baseline, masks=400, cells=7, share=0.5, generator=generator)

Modules: `targets`, `boxes` (of detectors), `gradients`, `cam`, `lrp`, `masking` (occlusion, RISE),
`faithfulness` (deletion, insertion, ROAD, pointing game), `rules` (ReLUs with other derivatives).
"""
