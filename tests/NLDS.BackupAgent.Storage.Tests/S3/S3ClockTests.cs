using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>This machine's clock is wrong, or the store's, and the store refuses what is signed at another time than its own.</summary>
public sealed class S3ClockTests
{
    private const string Signed = "X-Amz-Date:";
    private static readonly TimeSpan Allowed = TimeSpan.FromMinutes(15);
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(3)]
    [InlineData(-3)]
    public async Task A_store_with_another_clock_is_asked_again_by_its_own(int hours)
    {
        var wrong = TimeSpan.FromHours(hours);
        await using var server = new ScriptedS3(head => Answer(head, TimeProvider.System.GetUtcNow() + wrong));
        using var store = new RetryingObjectStore(
            server.Open(NullLogger<S3ObjectStore>.Instance, ConditionalPut.On), new RetryOptions(), new StorageMetrics(meters: null), NullLogger<RetryingObjectStore>.Instance, TimeProvider.System);

        (await store.PutIfAbsentAsync(new ObjectKey("first"), new byte[1], None)).ShouldBeTrue();
        (await store.PutIfAbsentAsync(new ObjectKey("second"), new byte[1], None)).ShouldBeTrue();

        server.Requests.Count.ShouldBe(3);
    }

    private static string Answer(string head, DateTimeOffset now)
    {
        var line = head.Split("\r\n").First(one => one.StartsWith(Signed, StringComparison.OrdinalIgnoreCase));
        var signed = DateTimeOffset.ParseExact(line[Signed.Length..].Trim(), "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        return (now - signed).Duration() < Allowed ? ScriptedS3.Stored
            : ScriptedS3.Error("403 Forbidden", "RequestTimeTooSkewed").Replace("\r\n\r\n", $"\r\nDate: {now.ToString("R", CultureInfo.InvariantCulture)}\r\n\r\n", StringComparison.Ordinal);
    }
}
