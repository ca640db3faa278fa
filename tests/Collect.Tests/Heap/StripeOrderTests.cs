using CsCheck;
using NativeHeap.Collect.Heap;

namespace NativeHeap.Collect.Tests.Heap;

public sealed class StripeOrderTests
{
    [Fact]
    public void Operations_come_out_in_the_order_of_their_numbers_whatever_order_they_come_in()
    {
        Gen.Int[0, 60].SelectMany(count => Gen.Shuffle(Enumerable.Range(1, count).ToArray())).Sample(
            numbers =>
            {
                using var order = new StripeOrder();
                var seen = new List<uint>();
                foreach (var number in numbers)
                {
                    Take(order, (uint)number, seen);
                }

                Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => (uint)number), seen);
                Assert.Equal((0, 0L), (order.Parked, order.Missing));
            },
            iter: 300,
            threads: 1);
    }

    [Fact]
    public void Gaps_are_counted_and_a_number_that_comes_late_is_taken_back()
    {
        using var order = new StripeOrder();
        var seen = new List<uint>();
        foreach (var number in new uint[] { 1, 4, 3, 8 })
        {
            Take(order, number, seen);
        }

        Assert.Equal([1u], seen);
        order.PassOverGaps(operation => seen.Add(operation.Order));
        Assert.Equal([1u, 3, 4, 8], seen);
        Assert.Equal((0, 4L), (order.Parked, order.Missing)); // 2, 5, 6, 7
        Take(order, 5, seen);
        Take(order, 9, seen);
        Assert.Equal([1u, 3, 4, 8, 5, 9], seen);
        Assert.Equal(3, order.Missing);
    }

    [Fact]
    public void Stripes_do_not_wait_for_each_other()
    {
        using var order = new StripeOrder();
        var seen = new List<uint>();
        Take(order, 2, seen, stripe: 5);
        Take(order, 1, seen, stripe: 6);
        Assert.Equal([1u], seen);
        Assert.Equal(1, order.Parked);
    }

    private static void Take(StripeOrder order, uint number, List<uint> seen, uint stripe = 5)
    {
        var operation = new HeapOperation { Order = number };
        switch (order.Take(stripe, operation))
        {
            case Turn.Now:
                seen.Add(number);
                while (order.TryUnpark(stripe, out var next))
                {
                    seen.Add(next.Order);
                }

                break;
            case Turn.Late:
                seen.Add(number);
                break;
        }
    }
}
