using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NLDS.BackupAgent.Configuration;

namespace NLDS.BackupAgent.Output;

/// <summary>
/// Writes each event as one line, as text or as JSON. It writes to a given writer, which the framework's console logger cannot, so that every
/// line passes the scrubber; and it writes at once, because this process logs little and the last lines before an end matter most.
/// </summary>
internal sealed class LineLoggerProvider(TextWriter output, LogFormat format, TimeProvider time) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new LineLogger(categoryName, output, format, time);

    public void Dispose()
    {
        // The writer belongs to the process.
    }
}

internal sealed class LineLogger(string category, TextWriter output, LogFormat format, TimeProvider time) : ILogger
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string shortCategory = category[(category.LastIndexOf('.') + 1)..];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var now = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var message = formatter(state, exception);
        output.WriteLine(format == LogFormat.Json ? Json(now, logLevel, message, exception) : Text(now, logLevel, message, exception));
    }

    private string Text(string now, LogLevel level, string message, Exception? exception)
    {
        var line = $"{now} {Word(level),-5} {shortCategory}: {message}";
        return OneLine(exception is null ? line : $"{line} {exception}");
    }

    private string Json(string now, LogLevel level, string message, Exception? exception)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("time", now);
            json.WriteString("level", Word(level));
            json.WriteString("category", category);
            json.WriteString("message", message);
            if (exception is not null)
            {
                json.WriteString("exception", exception.ToString());
            }

            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" | ");

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "fatal",
    };
}
