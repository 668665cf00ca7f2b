using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>What is made of stores that honour, refuse or ignore If-None-Match.</summary>
public sealed class S3ConditionalPutsTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly List<string> warnings = [];

    [Theory]
    [InlineData("501 Not Implemented", "NotImplemented")]
    [InlineData("400 Bad Request", "InvalidArgument")]
    public async Task A_store_that_refuses_the_header_is_put_to_without_it_and_that_is_told_once(string status, string code)
    {
        await using var server = new ScriptedS3(head => AnswerAsking(head, IsConditional(head) ? ScriptedS3.Error(status, code) : ScriptedS3.Stored));
        using var store = server.Open(new Recorder(warnings));
        (await PutAsync(store, "a")).ShouldBeTrue();
        (await PutAsync(store, "b")).ShouldBeTrue();
        warnings.ShouldHaveSingleItem().ShouldContain("does not know If-None-Match");
        server.Requests.Count(IsConditional).ShouldBe(1);
    }

    [Fact]
    public async Task A_store_that_ignores_the_header_is_found_out()
    {
        await using var server = new ScriptedS3(head => AnswerAsking(head, ScriptedS3.Stored));
        using var store = server.Open(new Recorder(warnings));
        (await PutAsync(store, "a")).ShouldBeTrue();
        (await PutAsync(store, "b")).ShouldBeTrue();
        warnings.ShouldHaveSingleItem().ShouldContain("ignores If-None-Match");
        server.Requests.Count(IsConditional).ShouldBe(2);
    }

    [Fact]
    public async Task A_store_that_honours_the_header_is_relied_on_after_the_first_put()
    {
        var puts = 0;
        await using var server = new ScriptedS3(head => AnswerAsking(head, head.StartsWith("PUT", StringComparison.Ordinal) && ++puts == 2 ? ScriptedS3.Taken : ScriptedS3.Stored));
        using var store = server.Open(new Recorder(warnings));
        (await PutAsync(store, "a")).ShouldBeTrue();
        var asked = server.Requests.Count;
        (await PutAsync(store, "b")).ShouldBeTrue();
        server.Requests.Count.ShouldBe(asked + 1);
        warnings.ShouldBeEmpty();
    }

    [Fact]
    public async Task On_relies_on_the_header_and_fails_where_it_is_refused()
    {
        await using var server = new ScriptedS3(_ => ScriptedS3.Error("501 Not Implemented", "NotImplemented"));
        using var store = server.Open(NullLogger<S3ObjectStore>.Instance, ConditionalPut.On);
        var thrown = await Should.ThrowAsync<ObjectStoreException>(() => PutAsync(store, "a"));
        thrown.IsPermanent.ShouldBeTrue();
        thrown.Message.ShouldContain("Storage:S3:ConditionalPut");
    }

    [Fact]
    public async Task Off_asks_first_and_says_nothing()
    {
        await using var server = new ScriptedS3(head => AnswerAsking(head, ScriptedS3.Stored));
        using var store = server.Open(new Recorder(warnings), ConditionalPut.Off);
        (await PutAsync(store, "a")).ShouldBeTrue();
        server.Requests.Count(IsConditional).ShouldBe(0);
        server.Requests[0].ShouldStartWith("HEAD");
        warnings.ShouldBeEmpty();
    }

    private static string AnswerAsking(string head, string answerToPut) =>
        head.StartsWith("HEAD", StringComparison.Ordinal) ? ScriptedS3.Absent
        : head.StartsWith("GET", StringComparison.Ordinal) ? ScriptedS3.EmptyListing
        : answerToPut;

    private static bool IsConditional(string head) => head.Contains("If-None-Match: *", StringComparison.OrdinalIgnoreCase);

    private static Task<bool> PutAsync(S3ObjectStore store, string key) => store.PutIfAbsentAsync(new ObjectKey(key), new byte[3], None);

    private sealed class Recorder(List<string> warnings) : ILogger<S3ObjectStore>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            warnings.Add(formatter(state, exception));
    }
}
