using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Kubernetes.Tests.Verification;

public sealed class VerifyTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(TestCluster.Key)]
    public async Task A_sound_backup_is_found_sound(string? key)
    {
        await using var cluster = await TestCluster.StartAsync(key);
        await cluster.TakeAsync();

        var report = await cluster.VerifyAsync();

        report.Damage.ShouldBeEmpty();
        report.ObjectsRead.ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.99)]
    public async Task A_byte_that_was_flipped_is_found_and_cannot_be_restored(double where)
    {
        await using var cluster = await TestCluster.StartAsync(keys: null);
        var backup = await cluster.TakeAsync();
        await DamageAsync(cluster, new ObjectKey(backup.Manifest.Objects.Single().Key), bytes => bytes[(int)(bytes.Length * where)] ^= 1);

        (await cluster.VerifyAsync()).Damage.ShouldHaveSingleItem().Cost.ShouldContain(backup.Id.ToString());
        await Should.ThrowAsync<NotRestorableException>(() => cluster.PlanAsync());
    }

    [Fact]
    public async Task An_archive_that_is_gone_is_found()
    {
        await using var cluster = await TestCluster.StartAsync(keys: null);
        var backup = await cluster.TakeAsync();
        await cluster.Store.DeleteAsync([new ObjectKey(backup.Manifest.Objects.Single().Key)], CancellationToken.None);

        (await cluster.VerifyAsync()).Damage.ShouldNotBeEmpty();
        (await Should.ThrowAsync<NotRestorableException>(() => cluster.PlanAsync())).Message.ShouldContain("missing");
    }

    [Fact]
    public async Task A_damaged_archive_is_not_taken_for_an_unchanged_one()
    {
        await using var cluster = await TestCluster.StartAsync(keys: null);
        var first = await cluster.TakeAsync();
        await cluster.Store.DeleteAsync([new ObjectKey(first.Manifest.Objects.Single().Key)], CancellationToken.None);

        (await cluster.TakeAsync()).Id.ShouldNotBe(first.Id);
    }

    private static async Task DamageAsync(TestCluster cluster, ObjectKey key, Action<byte[]> damage)
    {
        using var content = new MemoryStream();
        await using (var stored = await cluster.Store.OpenReadAsync(key, 0, null, CancellationToken.None))
        {
            await stored.CopyToAsync(content);
        }

        var bytes = content.ToArray();
        damage(bytes);
        await cluster.Store.DeleteAsync([key], CancellationToken.None);
        await cluster.Store.PutIfAbsentAsync(key, bytes, CancellationToken.None);
    }
}
