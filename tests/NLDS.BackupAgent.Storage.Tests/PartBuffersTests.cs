using System.Runtime.CompilerServices;

namespace NLDS.BackupAgent.Storage.Tests;

public sealed class PartBuffersTests
{
    private const int Bytes = 100_000;
    private readonly PartBuffers buffers = new(10 * Bytes);

    [Fact]
    public void A_buffer_that_was_returned_outlives_a_collection_and_is_rented_again()
    {
        var returned = ReturnOne();
        GC.Collect();

        returned.Target.ShouldNotBeNull();
        buffers.Rent(Bytes).ShouldBeSameAs(returned.Target);
        buffers.Rent(Bytes).ShouldNotBeSameAs(returned.Target, "it is in use");
    }

    [Fact]
    public void Only_a_buffer_of_exactly_the_length_is_given()
    {
        buffers.Return(new byte[Bytes + 1]);

        buffers.Rent(Bytes).Length.ShouldBe(Bytes);
    }

    [Fact]
    public void No_more_is_kept_than_was_said_and_the_newest_are()
    {
        var returned = ReturnMany(25);
        GC.Collect();

        returned.ConvertAll(one => one.IsAlive).ShouldBe([.. Enumerable.Repeat(false, 15), .. Enumerable.Repeat(true, 10)]);
    }

    [Fact]
    public void What_nobody_uses_is_let_go()
    {
        var returned = ReturnOne();
        buffers.Trim();
        GC.Collect();

        returned.IsAlive.ShouldBeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference ReturnOne() => ReturnMany(1)[0];

    /// <summary>In a method of its own, whose locals keep nothing alive.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private List<WeakReference> ReturnMany(int count)
    {
        var rented = Enumerable.Range(0, count).Select(_ => buffers.Rent(Bytes)).ToList();
        rented.ForEach(buffers.Return);
        return rented.ConvertAll(buffer => new WeakReference(buffer));
    }
}
