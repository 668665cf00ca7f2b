using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Redis.Tests.Sweeps;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>A restore that was killed before its last step is begun anew; behind it the directory is a server's.</summary>
public sealed class InterruptedTests(SweptRedis swept) : IClassFixture<SweptRedis>, IDisposable
{
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Behind_the_last_step_it_is_a_server_s_data_and_never_removed(bool isBefore7)
    {
        var target = await RestoreAsync(isBefore7);

        // As SIGKILL leaves it before the mark is gone; then somebody starts the server, and writes.
        await File.WriteAllTextAsync(target.Mark, "", CancellationToken.None);
        await File.WriteAllTextAsync(target.Dump, "written since", CancellationToken.None);

        target.Look().Kind.ShouldBe(DirectoryKind.Data);
        await using var agent = TestAgent.For(swept.Server.Port, swept.Store);
        (await Should.ThrowAsync<UsageException>(() => agent.RestoreAsync(target.Path))).Message.ShouldContain("is not empty");
        (await File.ReadAllTextAsync(target.Dump, CancellationToken.None)).ShouldBe("written since");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Before_the_last_step_no_server_starts_with_it_and_the_next_restore_begins_anew(bool isBefore7)
    {
        var target = await BetweenTheLastTwoStepsAsync(isBefore7);

        target.Look().Kind.ShouldBe(DirectoryKind.Unfinished);
        await RedisServer.RefusalAsync(target.Path, "--appendonly", "yes");
        await using var agent = TestAgent.For(swept.Server.Port, swept.Store);
        await agent.RestoreAsync(target.Path);

        Directory.EnumerateFiles(target.Path, "*.new", SearchOption.AllDirectories).ShouldBeEmpty();
        await using var restored = await RedisServer.StartInAsync(target.Path, "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(swept.Content);
    }

    /// <summary>A Redis before 7 without an append-only file looks at nothing but dump.rdb, which is in place already. Behind its first save the directory is its own.</summary>
    [Fact]
    public async Task What_a_server_without_an_append_only_file_has_saved_between_the_last_two_steps_is_never_removed()
    {
        var target = await BetweenTheLastTwoStepsAsync(isBefore7: true);
        target.Look().Kind.ShouldBe(DirectoryKind.Unfinished);

        // As such a server saves: another file, renamed into place.
        await File.WriteAllTextAsync(target.Dump + ".saved", "written since", CancellationToken.None);
        File.Move(target.Dump + ".saved", target.Dump, overwrite: true);

        target.Look().Kind.ShouldBe(DirectoryKind.Data);
        await using var agent = TestAgent.For(swept.Server.Port, swept.Store);
        (await Should.ThrowAsync<UsageException>(() => agent.RestoreAsync(target.Path))).Message.ShouldContain("is not empty");
        (await File.ReadAllTextAsync(target.Dump, CancellationToken.None)).ShouldBe("written since");
    }

    /// <summary>The restore was killed while a redis-server loaded copy and commands for it.</summary>
    [Fact]
    public async Task A_server_that_was_folding_for_the_attempt_before_is_ended_first()
    {
        var target = new TargetDirectory(targets["begun"]);
        target.Begin("20261129_030000");
        Directory.CreateDirectory(target.Scratch);
        await using var left = await RedisServer.StartInAsync(target.Scratch, "--save", "");
        await using var agent = TestAgent.For(swept.Server.Port, swept.Store);

        await agent.RestoreAsync(target.Path);

        await Eventually.TrueAsync(() => left.HasExited, "nobody works there any more");
        Directory.Exists(target.Scratch).ShouldBeFalse();
    }

    /// <summary>What refuses was written in part only.</summary>
    [Fact]
    public async Task At_its_beginning_it_is_an_unfinished_restore()
    {
        var target = new TargetDirectory(targets["begun"]);
        target.Begin("20261129_030000");
        await File.WriteAllTextAsync(target.SingleAof, TargetDirectory.Refusal[..7], CancellationToken.None);
        File.Delete(target.AofManifest);

        target.Look().Kind.ShouldBe(DirectoryKind.Unfinished);
    }

    /// <summary>As SIGKILL leaves the directory: dump.rdb is in place, a second name of the copy, and the append-only file still refuses.</summary>
    private async Task<TargetDirectory> BetweenTheLastTwoStepsAsync(bool isBefore7)
    {
        var target = await RestoreAsync(isBefore7);
        var aof = isBefore7 ? target.SingleAof : target.AofManifest;
        File.Move(aof, aof + ".new");
        Directory.CreateDirectory(target.AofDirectory);
        await ServerProcess.RunAsync("ln", ["-f", target.Dump, target.AofBase], CancellationToken.None);
        foreach (var refusing in (string[])[target.SingleAof, target.AofManifest])
        {
            TargetDirectory.WriteSmall(refusing, TargetDirectory.Refusal);
        }

        await File.WriteAllTextAsync(target.Mark, "", CancellationToken.None);
        return target;
    }

    private async Task<TargetDirectory> RestoreAsync(bool isBefore7)
    {
        await using var agent = TestAgent.For(swept.Server.Port, swept.Store);
        var target = new TargetDirectory(targets["restored"]);
        var plan = (RedisRestorePlan)await agent.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = target.Path }, CancellationToken.None);
        await agent.Source.RestoreAsync(
            isBefore7 ? plan with { Layout = AofLayout.SingleFile } : plan, new Progress<TransferProgress>(), CancellationToken.None);
        return target;
    }
}
