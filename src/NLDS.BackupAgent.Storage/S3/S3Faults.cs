using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Amazon.Runtime;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>Turns what the store or the network answered into a sentence with a way out, and says whether trying again can help.</summary>
internal static class S3Faults
{
    /// <summary>True for what a call to the store can fail with; the caller's own cancellation is not a failure.</summary>
    public static bool IsFault(Exception failure, CancellationToken cancellationToken) => failure switch
    {
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TimeoutException or WebException => true,
        _ => false,
    };

    public static ObjectStoreException From(string store, string action, Exception failure) => failure switch
    {
        AmazonServiceException { StatusCode: not 0 } answer => FromAnswer(store, action, answer),
        _ when Causes(failure).OfType<AuthenticationException>().Any() => Permanent(
            store, action, $"no TLS connection: {failure.Message} Check Storage:S3:ServiceUrl and that its certificate is trusted here.", failure),
        _ when Causes(failure).Any(cause => cause is HttpRequestException or SocketException or IOException or TimeoutException or OperationCanceledException) =>
            Transient(store, action, $"the store cannot be reached ({failure.GetBaseException().Message}). Check Storage:S3:ServiceUrl and the network.", failure),
        AmazonServiceException or AmazonClientException => Permanent(
            store, action, $"{failure.Message} Give the agent credentials (AWS_ACCESS_KEY_ID, a profile, a role) and set Storage:S3:Region.", failure),
        _ => Transient(store, action, failure.Message, failure),
    };

    /// <summary>Errors of single keys in the answer to a batch.</summary>
    public static bool IsPermanent(string code) =>
        code is not ("InternalError" or "ServiceUnavailable" or "SlowDown" or "RequestTimeout" or "OperationAborted" or "Throttling");

    private static ObjectStoreException FromAnswer(string store, string action, AmazonServiceException answer) => (answer.ErrorCode, (int)answer.StatusCode) switch
    {
        // The SDK has learned the store's time from this answer, and signs with it from now on.
        ("RequestTimeTooSkewed", _) => Transient(
            store, action, "this machine's clock is off by more than the store allows. If this lasts, set the clock (NTP).", answer),
        ("NoSuchBucket", _) => Permanent(store, action, "there is no such bucket. Create it or set Storage:S3:Bucket.", answer),
        ("QuotaExceeded", _) => Transient(store, action, "the store's quota is used up. Raise it or free space.", answer),
        ("InvalidAccessKeyId" or "SignatureDoesNotMatch" or "InvalidToken", _) => Permanent(
            store, action, $"the credentials are wrong ({answer.ErrorCode}). Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile.", answer),
        ("ExpiredToken" or "ExpiredTokenException", _) => Transient(
            store, action, "the session's credentials have expired. If this lasts, renew them.", answer),
        ("AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException", _) or (_, 301 or 307) => Permanent(
            store, action, $"the bucket is in another region ({answer.ErrorCode}). Set Storage:S3:Region.", answer),
        ("NotImplemented", _) or (_, 501) => Permanent(
            store, action, "the store does not know this request. If it does not know If-None-Match, set Storage:S3:ConditionalPut to Auto or Off.", answer),
        ("BadDigest" or "XAmzContentSHA256Mismatch" or "IncompleteBody", _) => Transient(
            store, action, $"the bytes were damaged on their way ({answer.ErrorCode}). If this lasts, check the network and the memory.", answer),
        ("RequestTimeout" or "SlowDown" or "Throttling" or "OperationAborted" or "ConditionalRequestConflict", _) or (_, 408 or 409 or 425 or 429 or >= 500) => Transient(
            store, action, $"the store is busy or failing ({Code(answer)}).", answer),

        // No store's own word: something on the way, or a connection whose last request the store had not finished with.
        (null or "" or nameof(HttpStatusCode.BadRequest), 400) => Transient(
            store, action, "the request was refused with HTTP 400 and not a word why. If this lasts, look for what stands between the agent and the store.", answer),
        (_, 401 or 403) => Permanent(
            store, action, $"access is denied ({Code(answer)}). Allow s3:GetObject, PutObject, DeleteObject, ListBucket and AbortMultipartUpload "
            + "on the bucket; with Storage:S3:ObjectLock also s3:PutObjectRetention, GetObjectRetention and GetBucketObjectLockConfiguration.", answer),
        _ => Permanent(store, action, $"the store refused it ({Code(answer)}): {answer.Message}", answer),
    };

    private static string Code(AmazonServiceException answer) => $"HTTP {(int)answer.StatusCode} {answer.ErrorCode}".TrimEnd();

    private static IEnumerable<Exception> Causes(Exception failure)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            yield return cause;
        }
    }

    private static ObjectStoreException Transient(string store, string action, string reason, Exception cause) =>
        new($"{action} in {store} failed: {reason}", isPermanent: false, cause);

    private static ObjectStoreException Permanent(string store, string action, string reason, Exception cause) =>
        new($"{action} in {store} failed: {reason}", isPermanent: true, cause);
}
