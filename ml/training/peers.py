"""Several processes that train one network together.

All of them hold the same weights, draw the same batches and compute the outputs of their own part
of each. Outputs are exchanged, so the loss is one function of the whole batch everywhere, as it is
with slices: the regulariser, which looks at the mean prediction of the batch, and the partners of a
mix need no second form. What comes back through a process's own outputs is its share of the
gradient; the shares are summed.
"""

from dataclasses import dataclass

import torch

# The optimizer imports this at its first step, and then its functions' defaults keep the group of
# that moment: its threads outlive `destroy_process_group`, and one that drops a tensor while Python
# ends aborts the process (pytorch/pytorch#190489). Imported now, before there is a group, it keeps
# nothing.
import torch.distributed.nn
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

MIN_PART = 2
"""Samples of a batch for each process: batch normalisation over one says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Peers:
    """This process and its peers; alone unless a process group is given."""

    group: distributed.ProcessGroup | None = None

    @property
    def size(self) -> int:
        """How many processes there are."""
        return 1 if self.group is None else distributed.get_world_size(self.group)

    def part(self, num_rows: int) -> slice:
        """Return which of `num_rows` rows are this process's; the parts are of about equal size."""
        if self.group is None:
            return slice(0, num_rows)
        rank = distributed.get_rank(self.group)
        return slice(num_rows * rank // self.size, num_rows * (rank + 1) // self.size)

    def joined(self, own: Tensor, num_rows: int) -> Tensor:
        """Return the rows of all processes, (num_rows, ...); gradients flow into one's own only."""
        if self.group is None:
            return own
        part = self.part(num_rows)
        whole = own.new_zeros(num_rows, *own.shape[1:])
        whole[part] = own.detach()
        distributed.all_reduce(whole, group=self.group)
        return torch.cat([whole[: part.start], own, whole[part.stop :]])

    def sum_gradients(self, network: nn.Module) -> None:
        """Replace each gradient by the sum over the processes.

        In one piece and one order: a resumed run sums as an uninterrupted one does, bit for bit.
        """
        if self.group is None:
            return
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat, group=self.group)
        begin = 0
        for gradient in gradients:
            gradient.copy_(flat[begin : begin + gradient.numel()].view_as(gradient))
            begin += gradient.numel()

    def average_statistics(self, network: nn.Module) -> None:
        """Replace the batch statistics, which each process has of its own parts, by their mean."""
        if self.group is None:
            return
        for layer in network.modules():
            if isinstance(layer, _BatchNorm):
                for statistic in (layer.running_mean, layer.running_var):
                    if statistic is not None:
                        distributed.all_reduce(statistic, group=self.group)
                        statistic.div_(self.size)
