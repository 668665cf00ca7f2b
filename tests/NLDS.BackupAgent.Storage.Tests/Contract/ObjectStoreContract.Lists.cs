namespace NLDS.BackupAgent.Storage.Tests.Contract;

public abstract partial class ObjectStoreContract
{
    /// <summary>In ordinal order, which is not the order of a walk through folders.</summary>
    private static readonly string[] Ordered =
        ["A", "a+b", "a-b", "a.b", "a/-", "a/b", "a/b0", "a/c/d", "a/c0", "a0", "a0-/x", "b/b", "b/c/d/e", "c"];

    [Fact]
    public async Task An_empty_store_lists_nothing() => (await ListAsync()).ShouldBeEmpty();

    [Fact]
    public async Task The_listing_is_in_ordinal_key_order()
    {
        await PutAllAsync([.. Ordered.Reverse()]);
        (await ListAsync()).ShouldBe(Ordered);
    }

    [Fact]
    public async Task A_prefix_is_text_and_no_folder()
    {
        await PutAllAsync(Ordered);
        foreach (var prefix in (string[])["a", "a/", "a/b", "a/c/", "b/c/d/e", "b/c/d/e/", "zz", "a-", "A"])
        {
            (await ListAsync(prefix)).ShouldBe(Ordered.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)), $"prefix '{prefix}'");
        }
    }

    [Fact]
    public async Task Every_start_is_passed_over_with_all_before_it()
    {
        await PutAllAsync(Ordered);
        foreach (var start in (string[])[.. Ordered, "a", "a/", "a/c", "b", "a/a", "zz", "a.a", "0"])
        {
            if (ObjectKey.TryParse(start, out _))
            {
                (await ListAsync("", start)).ShouldBe(Ordered.Where(key => string.CompareOrdinal(key, start) > 0), $"after '{start}'");
                (await ListAsync("a/", start)).ShouldBe(
                    Ordered.Where(key => key.StartsWith("a/", StringComparison.Ordinal) && string.CompareOrdinal(key, start) > 0), $"a/ after '{start}'");
            }
        }
    }

    [Fact]
    public async Task A_listing_tells_sizes()
    {
        await Store.PutIfAbsentAsync(Key("a"), Bytes(0), None);
        await Store.PutIfAbsentAsync(Key("b"), Bytes(77), None);
        List<long> sizes = [];
        await foreach (var info in Store.ListAsync("", null, None))
        {
            sizes.Add(info.Bytes);
        }

        sizes.ShouldBe([0, 77]);
    }

    [Fact]
    public async Task More_than_a_thousand_objects_are_listed_and_deleted_whole()
    {
        const int Count = 2_003;
        var keys = Enumerable.Range(0, Count).Select(number => $"many/{number % 3}/{number:D6}").Order(StringComparer.Ordinal).ToList();
        await Parallel.ForEachAsync(
            keys, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (key, token) => await Store.PutIfAbsentAsync(Key(key), Bytes(1), token));

        (await ListAsync("many/")).ShouldBe(keys);
        (await ListAsync("many/", keys[1_001])).ShouldBe(keys.Skip(1_002));

        await Store.DeleteAsync([.. keys.Select(Key)], None);
        (await ListAsync("many/")).ShouldBeEmpty();
    }
}
